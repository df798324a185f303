// Whoever has sent a form is led to what is wrong with it.
import { type RefObject, useEffect } from "react";

/** Move the focus to the first field that is wrong, each time that there is another cause. */
export function useFirstWrong(form: RefObject<HTMLElement | null>, cause: unknown): void {
  useEffect(() => {
    if (cause) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [form, cause]);
}
