// A labelled choice of one from a list.
import { useId } from "react";

export interface Option {
  value: string;
  text: string;
}

export function SelectField(props: {
  label: string;
  value: string;
  options: readonly Option[];
  onValue: (value: string) => void;
}) {
  const name = useId();
  return (
    <div className="field">
      <label htmlFor={name}>{props.label}</label>
      <div className="field-row">
        <select id={name} value={props.value} onChange={(event) => props.onValue(event.target.value)}>
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
