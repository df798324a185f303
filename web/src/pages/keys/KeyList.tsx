// "List of API keys".
import { useState } from "react";
import type { Key } from "../../api/words";
import type { Loaded } from "../../app/loaded";
import { pageCount, pageOf } from "../../logic/paging";
import { Awaited } from "../../parts/Awaited";
import { Pages } from "../../parts/Pages";
import { Section } from "../../parts/Section";
import { Table } from "../../parts/Table";
import { KeyRow } from "./KeyRow";

const COLUMNS = ["Label", "Permissions", "IP addresses", "Created", "Last used", "Expires", "State"];
const PAGE_SIZE = 10;

export function KeyList(props: { keys: Loaded<Key[]> }) {
  const [asked, setAsked] = useState(0);
  return (
    <Section title="List of API keys">
      <Awaited of={props.keys}>
        {(found) => {
          const count = pageCount(found.length, PAGE_SIZE);
          const page = Math.min(asked, count - 1);
          if (found.length === 0) return <p className="empty">You have no API keys yet.</p>;
          return (
            <>
              <Table label="List of API keys" columns={COLUMNS}>
                {pageOf(found, page, PAGE_SIZE).map((each) => (
                  <KeyRow key={each.kid} of={each} />
                ))}
              </Table>
              <Pages page={page} count={count} onPage={setAsked} of="API keys" />
            </>
          );
        }}
      </Awaited>
    </Section>
  );
}
