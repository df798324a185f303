// Two fields for a password that is chosen.
import type { NewPassword } from "../app/newPassword";
import { PasswordField } from "./PasswordField";

export function NewPasswordFields(props: { of: NewPassword; label?: string; error: string }) {
  const { of: chosen, label = "Password" } = props;
  return (
    <>
      <PasswordField label={label} isNew value={chosen.password} onValue={chosen.setPassword} error={props.error} />
      <PasswordField
        label={`${label} again`}
        isNew
        isAgain
        value={chosen.again}
        onValue={chosen.setAgain}
        error={chosen.differs}
      />
    </>
  );
}
