// When, from where and how a key was used last.
import * as calls from "../../api/calls";
import type { Key, Use } from "../../api/words";
import { useLoaded } from "../../app/loaded";
import { Awaited } from "../../parts/Awaited";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Moment } from "../../parts/Moment";
import { Table } from "../../parts/Table";

const COLUMNS = ["Time", "Address", "Protocol", "Certificate"];
const PROTOCOLS: Record<Use["protocol"], string> = { rest: "REST", websocket: "WebSocket", fix: "FIX" };
const FINGERPRINT_SHOWN = 16;

export function Activity(props: { of: Key; onClose: () => void }) {
  const key = props.of;
  const uses = useLoaded(() => calls.activity(key.kid));
  return (
    <Dialog title={`Activity of ${key.label}`} isWide onClose={props.onClose}>
      <Awaited of={uses}>
        {(found) =>
          found.length === 0 ? (
            <p className="empty">It has not been used yet.</p>
          ) : (
            <>
              <p className="lead">Its last uses, up to 50, the newest first; those of one minute as one.</p>
              <div className="scrolled" role="region" aria-label="Last uses" tabIndex={0}>
                <Table label={`Activity of ${key.label}`} columns={COLUMNS}>
                  {found.map((each) => (
                    <Table.Row key={`${each.time} ${each.address} ${each.protocol} ${each.certificate}`}>
                      <Table.Cell column="Time">
                        <Moment at={each.time} />
                      </Table.Cell>
                      <Table.Cell column="Address">
                        <code>{each.address}</code>
                      </Table.Cell>
                      <Table.Cell column="Protocol">{PROTOCOLS[each.protocol]}</Table.Cell>
                      <Table.Cell column="Certificate">
                        {each.certificate && (
                          <code title={each.certificate}>{each.certificate.slice(0, FINGERPRINT_SHOWN)}…</code>
                        )}
                      </Table.Cell>
                    </Table.Row>
                  ))}
                </Table>
              </div>
            </>
          )
        }
      </Awaited>
      <div className="buttons buttons-end">
        <Button onClick={props.onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
