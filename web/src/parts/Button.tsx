// A button. While it is busy it stays where the focus is, and does nothing.
import type { ButtonHTMLAttributes } from "react";

type Look = "first" | "plain" | "quiet" | "danger";
type Props = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; isBusy?: boolean };

export function Button({ look = "plain", isBusy = false, className = "", onClick, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      className={`button button-${look} ${className}`}
      aria-busy={isBusy || undefined}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
