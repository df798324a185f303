// Somebody who was invited, with the token of the letter, becomes a user.
import * as calls from "../../api/calls";
import { useSession } from "../../app/session";
import { saidOf } from "../../app/task";
import { Button } from "../../parts/Button";
import { Form } from "../../parts/Form";
import { Link } from "../../parts/Link";
import { NewPasswordFields } from "../../parts/NewPasswordFields";
import { Notice } from "../../parts/Notice";
import { useBecoming } from "./becoming";
import { Frame } from "./Frame";
import { TokenField } from "./TokenField";

export function Invitation() {
  const { me } = useSession();
  const becoming = useBecoming(calls.invitation);
  const { task } = becoming;
  const passwordWrong = saidOf(task.refused, "password");
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
      <Form task={task} saidByFields={passwordWrong} onSubmit={becoming.submit}>
        <TokenField
          of={becoming}
          label="Token"
          hint="what the link in your invitation ends with; it works once, within seven days"
        />
        <NewPasswordFields of={becoming.chosen} error={passwordWrong} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Accept
        </Button>
      </Form>
    </Frame>
  );
}
