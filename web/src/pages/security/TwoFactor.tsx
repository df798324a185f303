// The second factor: whether it is on, what switches it on or off, and the way back to who needed it.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useErased } from "../../app/leaving";
import { go, useQuery } from "../../app/router";
import { useMe, useSession } from "../../app/session";
import { Badge } from "../../parts/Badge";
import { Button } from "../../parts/Button";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { Notice } from "../../parts/Notice";
import { Section } from "../../parts/Section";
import { Enrolment } from "./Enrolment";
import { RecoveryCodes } from "./RecoveryCodes";

const NOTHING: Record<string, never> = {};
// Where "Enable 2FA" may have been pressed, by the word in the address.
const BACK: Record<string, string> = { keys: "/profile/keys", users: "/users" };

type Doing = "nothing" | "enabling" | "disabling";

export function TwoFactor() {
  const me = useMe();
  const { changed } = useSession();
  const back = BACK[useQuery("then")];
  const [doing, setDoing] = useState<Doing>(back && !me.two_factor ? "enabling" : "nothing");
  const [codes, setCodes] = useState<string[] | null>(null);
  useErased(codes);
  const refresh = async () => changed(await calls.me());
  const close = () => {
    setCodes(null);
    void refresh().then(() => back && go(back));
  };
  return (
    <Section
      title="Two-factor authentication"
      aside={<Badge tone={me.two_factor ? "good" : "mind"}>{me.two_factor ? "On" : "Off"}</Badge>}
      lead="An authenticator app shows a new code every 30 seconds. Signing in needs it, and so does everything that an API key is granted."
    >
      {!me.two_factor && doing === "nothing" && (
        <div className="buttons">
          <Button look="first" onClick={() => setDoing("enabling")}>
            Enable 2FA
          </Button>
        </div>
      )}
      {!me.two_factor && doing === "enabling" && (
        <Enrolment
          onDone={(recovery) => {
            setDoing("nothing");
            setCodes(recovery);
          }}
          onCancel={() => setDoing("nothing")}
        />
      )}
      {me.two_factor && doing !== "disabling" && (
        <div className="buttons">
          <Button onClick={() => setDoing("disabling")}>Disable 2FA</Button>
        </div>
      )}
      {me.two_factor && doing === "disabling" && (
        <ChallengeForm
          action="two_factor.disable"
          payload={NOTHING}
          isReady
          isDanger
          submit="Disable 2FA"
          onCancel={() => setDoing("nothing")}
          onDone={() => {
            setDoing("nothing");
            void refresh();
          }}
        >
          <Notice tone="mind" title="Your API keys are suspended with it">
            Until you switch it on again and enable each of them, none of your keys can be used. Every other session of
            yours ends.
          </Notice>
        </ChallengeForm>
      )}
      {codes && <RecoveryCodes codes={codes} onClose={close} />}
    </Section>
  );
}
