// E-mail address and password. Shown in the place of whatever page was asked for, which comes after it.
import { type FormEvent, useState } from "react";
import * as calls from "../../api/calls";
import { useSession } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Link } from "../../parts/Link";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { Frame } from "./Frame";

export function SignIn() {
  const { entered, hasEnded } = useSession();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void task.run(async () => entered(await calls.signIn(email.trim(), password)));
  };
  return (
    <Frame title="Sign in" below={<Link to="/forgotten">Forgot your password?</Link>}>
      {hasEnded && !task.refused && (
        <Notice tone="mind">Your session has ended. Sign in to go on where you were.</Notice>
      )}
      <form onSubmit={submit} className="stack">
        {task.refused && <Notice tone="wrong">{task.refused.message}</Notice>}
        <Field
          label="E-mail"
          type="email"
          autoComplete="username"
          autoCapitalize="none"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <PasswordField label="Password" value={password} onValue={setPassword} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Sign in
        </Button>
      </form>
    </Frame>
  );
}
