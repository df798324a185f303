// The small card in which people enter.
import type { ReactNode } from "react";
import { Brand } from "../../parts/Brand";
import { Heading } from "../../parts/Heading";

export function Frame(props: { title: string; lead?: ReactNode; children: ReactNode; below?: ReactNode }) {
  return (
    <main className="entering">
      <div className="entering-brand">
        <Brand />
      </div>
      <div className="card entering-card">
        <Heading title={props.title}>{props.lead && <p className="lead">{props.lead}</p>}</Heading>
        {props.children}
      </div>
      {props.below && <div className="entering-below">{props.below}</div>}
    </main>
  );
}
