// A form that is sent as it is. What was refused and is of none of its fields stands above them; of those that are wrong
// the first one gets the focus.
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { useFirstWrong } from "../app/firstWrong";
import type { Task } from "../app/task";
import { Notice } from "./Notice";

interface Props {
  task: Task;
  /** What the fields say themselves of the refusal; empty: nothing. */
  saidByFields?: string;
  onSubmit: () => void;
  children: ReactNode;
}

export function Form({ task, saidByFields = "", onSubmit, children }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const [tries, setTries] = useState(0);
  useFirstWrong(form, tries);
  useFirstWrong(form, task.refused);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTries((before) => before + 1);
    onSubmit();
  };
  return (
    <form ref={form} onSubmit={submit} className="stack">
      {task.refused && !saidByFields && <Notice tone="wrong">{task.refused.message}</Notice>}
      {children}
    </form>
  );
}
