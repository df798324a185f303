// A password, which can be shown while it is typed.
import { useState } from "react";
import { Field } from "./Field";

export function PasswordField(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  isNew?: boolean;
  isAgain?: boolean;
  error?: string;
}) {
  const [isShown, setIsShown] = useState(false);
  const isNew = props.isNew ?? false;
  return (
    <Field
      label={props.label}
      type={isShown ? "text" : "password"}
      autoComplete={isNew ? "new-password" : "current-password"}
      autoCapitalize="none"
      required
      {...(isNew ? { minLength: 8 } : {})}
      maxLength={128}
      value={props.value}
      onChange={(event) => props.onValue(event.target.value)}
      hint={isNew && !props.isAgain ? "8 to 128 characters; several unrelated words do well" : undefined}
      error={props.error ?? ""}
      after={
        <button
          type="button"
          className="button button-quiet"
          aria-pressed={isShown}
          aria-label={`Show ${props.label.toLowerCase()}`}
          onClick={() => setIsShown(!isShown)}
        >
          {isShown ? "Hide" : "Show"}
        </button>
      }
    />
  );
}
