// What something needs, and what of it is there. Said in words too, not by a mark alone.
import type { Check } from "../logic/label";

export function Checklist(props: { id: string; label: string; checks: Check[] }) {
  return (
    <ul className="checklist" id={props.id} aria-label={props.label}>
      {props.checks.map((each) => (
        <li key={each.text} className={each.isMet ? "met" : ""}>
          <span className="check-mark" aria-hidden="true">
            {each.isMet ? "✓" : "○"}
          </span>
          {each.text}
          <span className="unseen">{each.isMet ? ": there" : ": missing"}</span>
        </li>
      ))}
    </ul>
  );
}
