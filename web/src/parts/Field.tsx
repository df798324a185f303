// A labelled input; what is wrong with it and what helps are tied to it.
import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from "react";
import { sentence } from "../logic/sentence";

type Props = InputHTMLAttributes<HTMLInputElement> & {
  label: string;
  hint?: ReactNode;
  error?: string;
  after?: ReactNode;
  inputRef?: Ref<HTMLInputElement>;
};

export function Field({ label, hint, error = "", after, inputRef, className = "", ...rest }: Props) {
  const name = useId();
  const described = [hint ? `${name}-hint` : "", error ? `${name}-error` : "", rest["aria-describedby"] ?? ""];
  return (
    <div className={`field ${className}`}>
      <label htmlFor={name}>{label}</label>
      <div className="field-row">
        <input
          autoComplete="off"
          spellCheck={false}
          {...rest}
          id={name}
          ref={inputRef}
          aria-invalid={error ? true : undefined}
          aria-describedby={described.filter(Boolean).join(" ") || undefined}
        />
        {after}
      </div>
      {hint && (
        <div className="hint" id={`${name}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <p className="error" id={`${name}-error`} role="alert">
          {sentence(error)}
        </p>
      )}
    </div>
  );
}
