// Something to be read: what happened, what to mind, what went wrong. Errors are said at once.
import type { ReactNode } from "react";

export type Tone = "plain" | "good" | "mind" | "wrong";

const ROLES: Record<Tone, "alert" | "status" | undefined> = {
  plain: undefined,
  good: "status",
  mind: undefined,
  wrong: "alert",
};

export function Notice(props: { tone?: Tone; title?: string; role?: "alert" | "status"; children?: ReactNode }) {
  const tone = props.tone ?? "plain";
  return (
    <div className={`notice notice-${tone}`} role={props.role ?? ROLES[tone]}>
      <span className="notice-mark" aria-hidden="true" />
      <div>
        {props.title && <p className="notice-title">{props.title}</p>}
        {props.children}
      </div>
    </div>
  );
}
