// Where one is signed in; every other session can be ended.
import { useState } from "react";
import * as calls from "../../api/calls";
import type { Session } from "../../api/words";
import { useLoaded } from "../../app/loaded";
import { useTask } from "../../app/task";
import { agentText } from "../../logic/agent";
import { Awaited } from "../../parts/Awaited";
import { Badge } from "../../parts/Badge";
import { Button } from "../../parts/Button";
import { Moment } from "../../parts/Moment";
import { Notice } from "../../parts/Notice";
import { Section } from "../../parts/Section";
import { Table } from "../../parts/Table";

const COLUMNS = ["Browser", "Address", "Signed in", "Last used", ""];

export function Sessions() {
  const sessions = useLoaded(calls.sessions);
  const [said, setSaid] = useState("");
  const task = useTask();
  const end = (session: Session) =>
    task.run(async () => {
      await calls.endSession(session.session);
      await sessions.reload();
      setSaid(`The session at ${session.address} has ended.`);
    });
  return (
    <Section title="Sessions" lead="A session ends after 30 idle minutes, and after 12 hours in any case.">
      {said && <Notice tone="good">{said}</Notice>}
      {task.refused && <Notice tone="wrong">{task.refused.message}</Notice>}
      <Awaited of={sessions}>
        {(found) => (
          <Table label="Sessions" columns={COLUMNS}>
            {found.map((each) => (
              <Table.Row key={each.session}>
                <Table.Cell column="Browser">
                  <span title={each.agent}>{agentText(each.agent)}</span>{" "}
                  {each.is_this && <Badge tone="good">This session</Badge>}
                </Table.Cell>
                <Table.Cell column="Address">
                  <code>{each.address}</code>
                </Table.Cell>
                <Table.Cell column="Signed in">
                  <Moment at={each.created} />
                </Table.Cell>
                <Table.Cell column="Last used">
                  <Moment at={each.last_used} />
                </Table.Cell>
                <Table.Cell column="">
                  {!each.is_this && (
                    <Button look="quiet" aria-label={`End session at ${each.address}`} onClick={() => void end(each)}>
                      End
                    </Button>
                  )}
                </Table.Cell>
              </Table.Row>
            ))}
          </Table>
        )}
      </Awaited>
    </Section>
  );
}
