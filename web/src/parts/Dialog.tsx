// A dialog over the page: the browser keeps the focus in it; Escape and "Back" ask to close it.
import { type ReactNode, useEffect, useId, useRef } from "react";
import { holdBack } from "../app/router";

export function Dialog(props: {
  title: string;
  isWide?: boolean;
  onClose: () => void;
  /** What "Back" does, if it is not to close it. */
  onBack?: () => void;
  children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const name = useId();
  const onBack = useRef(props.onClose);
  onBack.current = props.onBack ?? props.onClose;
  useEffect(() => holdBack(() => onBack.current()), []);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    heading.current?.focus();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={props.isWide ? "dialog dialog-wide" : "dialog"}
      aria-labelledby={name}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onKeyDown={(event) => {
        // A second Escape would close it whatever `cancel` says.
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        props.onClose();
      }}
    >
      <h2 id={name} ref={heading} tabIndex={-1}>
        {props.title}
      </h2>
      {props.children}
    </dialog>
  );
}
