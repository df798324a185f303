// The second step of signing in: the authenticator's code, or a recovery code.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useSession } from "../../app/session";
import { useTask } from "../../app/task";
import { plainCode } from "../../logic/challenge";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Form } from "../../parts/Form";
import { Frame } from "./Frame";

export function SecondFactor() {
  const { entered, leave } = useSession();
  const [isRecovery, setIsRecovery] = useState(false);
  const [code, setCode] = useState("");
  const task = useTask();
  const submit = () => {
    const given = isRecovery ? code.trim() : plainCode(code);
    void task.run(async () => entered(await calls.secondFactor(given)));
  };
  const codeWrong = task.refused?.code === "code_wrong" ? task.refused.message : "";
  const change = () => {
    setIsRecovery(!isRecovery);
    setCode("");
    task.clear();
  };
  return (
    <Frame
      title="Two-factor authentication"
      lead={
        isRecovery
          ? "Give one of the ten recovery codes that you saved. Each works once."
          : "Open your authenticator app, and give the code that it shows for Fairlead."
      }
      below={
        <Button look="quiet" onClick={() => void task.run(leave)}>
          Sign in as somebody else
        </Button>
      }
    >
      <Form task={task} saidByFields={codeWrong} onSubmit={submit}>
        <Field
          key={isRecovery ? "recovery" : "totp"}
          label={isRecovery ? "Recovery code" : "Authenticator code"}
          className="field-code"
          inputMode={isRecovery ? "text" : "numeric"}
          autoComplete="one-time-code"
          required
          value={code}
          onChange={(event) => setCode(event.target.value)}
          error={codeWrong}
          hint={isRecovery ? "XXXX-XXXX-XXXX-XXXX" : "six digits, a new one every 30 seconds"}
        />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Go on
        </Button>
        <Button look="quiet" onClick={change}>
          {isRecovery ? "Use your authenticator" : "Use a recovery code"}
        </Button>
      </Form>
    </Frame>
  );
}
