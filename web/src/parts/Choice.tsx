// A box or a button of several, with its words; what it means stands below.
import { type InputHTMLAttributes, type ReactNode, useId } from "react";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "type"> & {
  type: "checkbox" | "radio";
  label: ReactNode;
  hint?: ReactNode;
};

export function Choice({ label, hint, className = "", ...rest }: Props) {
  const name = useId();
  return (
    <div className={`choice ${className}`}>
      <input {...rest} id={name} aria-describedby={hint ? `${name}-hint` : undefined} />
      <div>
        <label htmlFor={name}>{label}</label>
        {hint && (
          <p className="hint" id={`${name}-hint`}>
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
