// A titled part of a page.
import { type ReactNode, type Ref, useId } from "react";

interface Props {
  title: string;
  aside?: ReactNode;
  lead?: ReactNode;
  /** For who moves the focus there. */
  headingRef?: Ref<HTMLHeadingElement>;
  children: ReactNode;
}

export function Section(props: Props) {
  const name = useId();
  return (
    <section className="card section" aria-labelledby={name}>
      <header className="section-head">
        <h2 id={name} ref={props.headingRef} tabIndex={-1}>{props.title}</h2>
        {props.aside}
      </header>
      {props.lead && <p className="lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}
