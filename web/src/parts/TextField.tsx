// A labelled text of several lines.
import { type ReactNode, useId } from "react";
import { sentence } from "../logic/sentence";

export function TextField(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: ReactNode;
  error?: string;
  rows?: number;
  placeholder?: string;
}) {
  const name = useId();
  const described = [props.hint ? `${name}-hint` : "", props.error ? `${name}-error` : ""].filter(Boolean);
  return (
    <div className="field">
      <label htmlFor={name}>{props.label}</label>
      <textarea
        id={name}
        rows={props.rows ?? 3}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        placeholder={props.placeholder}
        value={props.value}
        onChange={(event) => props.onValue(event.target.value)}
        aria-invalid={props.error ? true : undefined}
        aria-describedby={described.join(" ") || undefined}
      />
      {props.hint && (
        <div className="hint" id={`${name}-hint`}>
          {props.hint}
        </div>
      )}
      {props.error && (
        <p className="error" id={`${name}-error`} role="alert">
          {sentence(props.error)}
        </p>
      )}
    </div>
  );
}
