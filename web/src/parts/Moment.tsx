// A moment in UTC, as a desk reads it.
import { momentText } from "../logic/times";

export function Moment(props: { at: string | null | undefined; none?: string }) {
  if (!props.at) return <span className="muted">{props.none ?? "never"}</span>;
  return (
    <time dateTime={props.at} className="moment" title={props.at}>
      {momentText(props.at)}
    </time>
  );
}
