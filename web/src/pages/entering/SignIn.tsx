// E-mail address and password. Shown in the place of whatever page was asked for, which comes after it.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useSession } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { EmailField } from "../../parts/EmailField";
import { Form } from "../../parts/Form";
import { Link } from "../../parts/Link";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { Frame } from "./Frame";

export function SignIn() {
  const { entered, hasEnded } = useSession();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const task = useTask();
  const submit = () => void task.run(async () => entered(await calls.signIn(email.trim(), password)));
  return (
    <Frame title="Sign in" below={<Link to="/forgotten">Forgot your password?</Link>}>
      {hasEnded && !task.refused && (
        <Notice tone="mind" role="alert">
          Your session has ended. Sign in to go on where you were: what you have typed is kept, but for codes and passwords.
        </Notice>
      )}
      <Form task={task} onSubmit={submit}>
        <EmailField value={email} onValue={setEmail} />
        <PasswordField label="Password" value={password} onValue={setPassword} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Sign in
        </Button>
      </Form>
    </Frame>
  );
}
