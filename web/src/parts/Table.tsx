// A table that becomes a list of cards where it is narrow. The roles are written out because that would lose them.
import type { ReactNode } from "react";

interface Props {
  label: string;
  columns: readonly string[];
  className?: string;
  children: ReactNode;
}

export function Table(props: Props) {
  return (
    <table className={`table ${props.className ?? ""}`} role="table" aria-label={props.label}>
      <thead role="rowgroup">
        <tr role="row">
          {props.columns.map((each) => (
            <th key={each} role="columnheader" scope="col">
              {each || <span className="unseen">Actions</span>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{props.children}</tbody>
    </table>
  );
}

function Row(props: { children: ReactNode; className?: string; label?: string }) {
  return (
    <tr role="row" className={props.className} aria-label={props.label}>
      {props.children}
    </tr>
  );
}

function Cell(props: { column: string; children: ReactNode; span?: number }) {
  return (
    <td role="cell" data-column={props.column} colSpan={props.span}>
      <div className="cell">{props.children}</div>
    </td>
  );
}

Table.Row = Row;
Table.Cell = Cell;
