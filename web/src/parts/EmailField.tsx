// An e-mail address as somebody signs in with it.
import { Field } from "./Field";

export function EmailField(props: { value: string; onValue: (text: string) => void; error?: string }) {
  return (
    <Field
      label="E-mail"
      type="email"
      autoComplete="username"
      autoCapitalize="none"
      required
      value={props.value}
      onChange={(event) => props.onValue(event.target.value)}
      error={props.error ?? ""}
    />
  );
}
