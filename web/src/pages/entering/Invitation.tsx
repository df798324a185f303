// Somebody who was invited, with the token of the letter, becomes a user.
import { type FormEvent, useState } from "react";
import * as calls from "../../api/calls";
import { forgetToken, go, tokenOfAddress } from "../../app/router";
import { useSession } from "../../app/session";
import { saidOf, saidOfAll, useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Link } from "../../parts/Link";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { repeatedWrong } from "./becoming";
import { Frame } from "./Frame";

const FIELDS = ["password"];

export function Invitation() {
  const { entered, me } = useSession();
  const fromAddress = tokenOfAddress();
  const [token, setToken] = useState(fromAddress);
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [differs, setDiffers] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = repeatedWrong(password, again);
    setDiffers(wrong);
    if (wrong) return;
    void task.run(async () => {
      const said = await calls.invitation(token.trim(), password);
      forgetToken();
      go("/", "replace");
      await entered(said);
    });
  };
  return (
    <Frame
      title="Accept your invitation"
      lead="Choose a password. Your e-mail address is the one that the invitation was sent to."
      below={<Link to="/">{me ? "Go on as " + me.email : "Sign in instead"}</Link>}
    >
      {me && (
        <Notice tone="mind">
          You are signed in as {me.email}. Accepting signs you in as the user who was invited.
        </Notice>
      )}
      <form onSubmit={submit} className="stack">
        {task.refused && saidOfAll(task.refused, FIELDS) && (
          <Notice tone="wrong">{saidOfAll(task.refused, FIELDS)}</Notice>
        )}
        {!fromAddress && (
          <Field
            label="Token"
            required
            className="field-mono"
            value={token}
            onChange={(event) => setToken(event.target.value)}
            hint="what the link in your invitation ends with; it works once, within seven days"
          />
        )}
        <PasswordField
          label="Password"
          isNew
          value={password}
          onValue={setPassword}
          error={saidOf(task.refused, "password")}
        />
        <PasswordField label="Password again" isNew isAgain value={again} onValue={setAgain} error={differs} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Accept
        </Button>
      </form>
    </Frame>
  );
}
