// The code of an authenticator, where a recovery code stands in for it.
import { Field } from "./Field";

export function FactorField(props: {
  value: string;
  onValue: (text: string) => void;
  hint?: string;
  error?: string;
}) {
  return (
    <Field
      label="Authenticator code"
      className="field-code"
      value={props.value}
      onChange={(event) => props.onValue(event.target.value)}
      hint={props.hint ?? "six digits, or a recovery code"}
      error={props.error ?? ""}
    />
  );
}
