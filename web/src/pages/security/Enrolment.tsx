// A new secret for an authenticator, as a picture and as text; it counts once both codes are given.
import { useEffect, useMemo, useState } from "react";
import * as calls from "../../api/calls";
import type { NewSecret } from "../../api/words";
import { useForgotten } from "../../app/leaving";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { Copy } from "../../parts/Copy";
import { Notice } from "../../parts/Notice";

export function Enrolment(props: { onDone: (codes: string[]) => void; onCancel: () => void }) {
  const [made, setMade] = useState<NewSecret | null>(null);
  const { run, refused } = useTask();
  useEffect(() => {
    let isWanted = true;
    void run(async () => {
      const secret = await calls.newSecret();
      if (isWanted) setMade(secret);
    });
    return () => {
      isWanted = false;
    };
  }, [run]);
  useForgotten(() => {
    setMade(null);
    props.onCancel();
  });
  const secret = made?.secret ?? "";
  const payload = useMemo(() => ({ secret }), [secret]);
  if (refused) {
    return (
      <>
        <Notice tone="wrong">{refused.message}</Notice>
        <Button onClick={props.onCancel}>Cancel</Button>
      </>
    );
  }
  if (made === null) return <p className="waiting" role="status">Loading…</p>;
  return (
    <ChallengeForm
      action="two_factor.enable"
      payload={payload}
      isReady
      isNewFactor
      submit="Enable 2FA"
      onCancel={props.onCancel}
      onDone={(result) => props.onDone(result.recovery_codes)}
    >
      <div className="enrolment">
        <img
          className="qr"
          alt="QR code for your authenticator app"
          src={pictureOf(made.qr_svg)}
        />
        <ol className="steps">
          <li>Scan the picture with an authenticator app, or give it this key by hand:</li>
          <li className="steps-plain">
            <code className="secret">{made.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
            <Copy text={made.secret} what="authenticator key" />
          </li>
          <li>Have a code sent to your address, and give it with the code that the app shows.</li>
        </ol>
      </div>
    </ChallengeForm>
  );
}

/** The server draws an SVG element; a picture of its own needs its namespace. */
function pictureOf(svg: string): string {
  const whole = svg.replace(/^<svg(?![^>]*xmlns=)/, '<svg xmlns="http://www.w3.org/2000/svg"');
  return `data:image/svg+xml,${encodeURIComponent(whole)}`;
}
