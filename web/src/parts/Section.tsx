// A titled part of a page.
import { type ReactNode, useId } from "react";

export function Section(props: { title: string; aside?: ReactNode; lead?: ReactNode; children: ReactNode }) {
  const name = useId();
  return (
    <section className="card section" aria-labelledby={name}>
      <header className="section-head">
        <h2 id={name}>{props.title}</h2>
        {props.aside}
      </header>
      {props.lead && <p className="lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}
