// The first user: whoever has the token that the machine's owner had made.
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

const FIELDS = ["email", "password"];

export function FirstUser() {
  const { entered, state } = useSession();
  const fromAddress = tokenOfAddress();
  const [token, setToken] = useState(fromAddress);
  const [email, setEmail] = useState("");
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
      const said = await calls.firstUser(token.trim(), email.trim(), password);
      forgetToken();
      go("/", "replace");
      await entered(said);
    });
  };
  if (!state.needs_first_user && !fromAddress) return <Void />;
  return (
    <Frame
      title="Create the first user"
      lead="There are no default credentials. Whoever has this machine's one-time token becomes its first user."
    >
      <form onSubmit={submit} className="stack">
        {task.refused && saidOfAll(task.refused, FIELDS) && (
          <Notice tone="wrong">{saidOfAll(task.refused, FIELDS)}</Notice>
        )}
        {!fromAddress && (
          <Field
            label="One-time token"
            required
            className="field-mono"
            value={token}
            onChange={(event) => setToken(event.target.value)}
            hint={
              <>
                <code>fairlead users link</code> on the machine makes one; it works once, within a day
              </>
            }
          />
        )}
        <Field
          label="E-mail"
          type="email"
          autoComplete="username"
          autoCapitalize="none"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          error={saidOf(task.refused, "email")}
        />
        <PasswordField
          label="Password"
          isNew
          value={password}
          onValue={setPassword}
          error={saidOf(task.refused, "password")}
        />
        <PasswordField label="Password again" isNew isAgain value={again} onValue={setAgain} error={differs} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Create user
        </Button>
      </form>
    </Frame>
  );
}

function Void() {
  return (
    <Frame title="This link is void">
      <Notice tone="mind">There is a first user already. Further users are invited from the page “Users”.</Notice>
      <Link to="/" className="button button-first">
        Sign in
      </Link>
    </Frame>
  );
}
