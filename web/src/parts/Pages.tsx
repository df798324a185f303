// From page to page of a long list; nothing where there is one page.
import { Button } from "./Button";

export function Pages(props: { page: number; count: number; of: string; onPage: (page: number) => void }) {
  if (props.count === 1) return null;
  return (
    <nav className="pages" aria-label={`Pages of ${props.of}`}>
      <Button disabled={props.page === 0} onClick={() => props.onPage(props.page - 1)}>
        Previous
      </Button>
      <span role="status">
        Page {props.page + 1} of {props.count}
      </span>
      <Button disabled={props.page === props.count - 1} onClick={() => props.onPage(props.page + 1)}>
        Next
      </Button>
    </nav>
  );
}
