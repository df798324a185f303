// The first user: whoever has the token that the machine's owner had made.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useSession } from "../../app/session";
import { saidOf } from "../../app/task";
import { Button } from "../../parts/Button";
import { EmailField } from "../../parts/EmailField";
import { Form } from "../../parts/Form";
import { Link } from "../../parts/Link";
import { NewPasswordFields } from "../../parts/NewPasswordFields";
import { Notice } from "../../parts/Notice";
import { useBecoming } from "./becoming";
import { Frame } from "./Frame";
import { TokenField } from "./TokenField";

export function FirstUser() {
  const { state } = useSession();
  const [email, setEmail] = useState("");
  const becoming = useBecoming((token, password) => calls.firstUser(token, email.trim(), password));
  const { task } = becoming;
  const emailWrong = saidOf(task.refused, "email");
  const passwordWrong = saidOf(task.refused, "password");
  if (!state.needs_first_user && !becoming.fromAddress) return <Void />;
  return (
    <Frame
      title="Create the first user"
      lead="There are no default credentials. Whoever has this machine's one-time token becomes its first user."
    >
      <Form task={task} saidByFields={emailWrong || passwordWrong} onSubmit={becoming.submit}>
        <TokenField
          of={becoming}
          label="One-time token"
          hint={
            <>
              <code>fairlead users link</code> on the machine makes one; it works once, within a day
            </>
          }
        />
        <EmailField value={email} onValue={setEmail} error={emailWrong} />
        <NewPasswordFields of={becoming.chosen} error={passwordWrong} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Create user
        </Button>
      </Form>
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
