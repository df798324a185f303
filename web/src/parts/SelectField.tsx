// A labelled choice of one from a list.
import { useId } from "react";

export interface Option<Value extends string> {
  value: Value;
  text: string;
}

export function SelectField<Value extends string>(props: {
  label: string;
  value: Value;
  options: readonly Option<Value>[];
  onValue: (value: Value) => void;
  className?: string;
}) {
  const name = useId();
  return (
    <div className={`field ${props.className ?? ""}`}>
      <label htmlFor={name}>{props.label}</label>
      <div className="field-row">
        <select id={name} value={props.value} onChange={(event) => props.onValue(event.target.value as Value)}>
          {props.options.map((each) => (
            <option key={each.value} value={each.value}>
              {each.text}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
