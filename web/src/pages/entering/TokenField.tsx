// The token of a link, for who has it in another way.
import type { ReactNode } from "react";
import { Field } from "../../parts/Field";
import type { Becoming } from "./becoming";

export function TokenField(props: { of: Becoming; label: string; hint: ReactNode }) {
  const { fromAddress, token, setToken } = props.of;
  if (fromAddress) return null;
  return (
    <Field
      label={props.label}
      required
      className="field-mono"
      value={token}
      onChange={(event) => setToken(event.target.value)}
      hint={props.hint}
    />
  );
}
