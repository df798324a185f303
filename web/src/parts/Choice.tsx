// A box or a button of several, with its words; what it means stands below.
import { type InputHTMLAttributes, type ReactNode, useId } from "react";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "type"> & {
  type: "checkbox" | "radio";
  label: ReactNode;
  hint?: ReactNode;
};

export function Choice({ label, hint, className = "", ...rest }: Props) {
  const name = useId();
  const described = [hint ? `${name}-hint` : "", rest["aria-describedby"] ?? ""].filter(Boolean);
  return (
    <div className={`choice ${className}`}>
      <input {...rest} id={name} aria-describedby={described.join(" ") || undefined} />
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
