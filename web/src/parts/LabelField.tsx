// "API Key Label", with what it needs told while it is typed.
import { useId } from "react";
import { labelChecks } from "../logic/label";
import { Checklist } from "./Checklist";
import { Field } from "./Field";

export function LabelField(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  error?: string;
}) {
  const name = useId();
  return (
    <div className="label-field">
      <Field
        label={props.label}
        autoCapitalize="none"
        value={props.value}
        onChange={(event) => props.onValue(event.target.value)}
        error={props.error ?? ""}
        aria-describedby={name}
      />
      <Checklist id={name} label="The label needs" checks={labelChecks(props.value)} />
    </div>
  );
}
