// A state in a word. The word says it; the colour only helps.
export type BadgeTone = "good" | "mind" | "wrong" | "plain";

export function Badge(props: { tone: BadgeTone; children: string }) {
  return <span className={`badge badge-${props.tone}`}>{props.children}</span>;
}
