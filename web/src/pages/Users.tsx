// The users of one's subscription: listed, invited, removed.
import { type FormEvent, useState } from "react";
import * as calls from "../api/calls";
import type { User } from "../api/words";
import { useLoaded } from "../app/loaded";
import { useMe } from "../app/session";
import { useTask } from "../app/task";
import { Awaited } from "../parts/Awaited";
import { Badge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { Heading } from "../parts/Heading";
import { Moment } from "../parts/Moment";
import { Notice } from "../parts/Notice";
import { Section } from "../parts/Section";
import { Table } from "../parts/Table";

const COLUMNS = ["E-mail", "Two-factor authentication", "Since", ""];

export function Users() {
  const me = useMe();
  const users = useLoaded(calls.users);
  const [removing, setRemoving] = useState<User | null>(null);
  const [said, setSaid] = useState("");
  return (
    <>
      <Heading title="Users">
        <p className="lead">Everybody who can sign in for the subscription {me.subscription}.</p>
      </Heading>
      {said && <Notice tone="good">{said}</Notice>}
      <Section title="Invite somebody">
        <Invite onDone={(email) => setSaid(`An invitation is on its way to ${email}. It works once, for seven days.`)} />
      </Section>
      <Section title="List of users">
        <Awaited of={users}>
          {(found) => (
            <Table label="List of users" columns={COLUMNS}>
              {found.map((each) => (
                <Table.Row key={each.user}>
                  <Table.Cell column="E-mail">
                    {each.email} {each.user === me.user && <Badge tone="plain">You</Badge>}
                  </Table.Cell>
                  <Table.Cell column="Two-factor authentication">
                    <Badge tone={each.two_factor ? "good" : "mind"}>{each.two_factor ? "On" : "Off"}</Badge>
                  </Table.Cell>
                  <Table.Cell column="Since">
                    <Moment at={each.created} />
                  </Table.Cell>
                  <Table.Cell column="">
                    {each.user !== me.user && (
                      <Button look="quiet" aria-label={`Remove ${each.email}`} onClick={() => setRemoving(each)}>
                        Remove
                      </Button>
                    )}
                  </Table.Cell>
                </Table.Row>
              ))}
            </Table>
          )}
        </Awaited>
      </Section>
      {removing && (
        <Remove
          user={removing}
          onClose={() => setRemoving(null)}
          onDone={() => {
            setSaid(`${removing.email} is removed.`);
            setRemoving(null);
            void users.reload();
          }}
        />
      )}
    </>
  );
}

function Invite(props: { onDone: (email: string) => void }) {
  const [email, setEmail] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void task.run(async () => {
      await calls.invite(email.trim());
      props.onDone(email.trim());
      setEmail("");
    });
  };
  return (
    <form onSubmit={submit} className="stack">
      <Field
        label="E-mail"
        type="email"
        autoCapitalize="none"
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
        error={task.refused?.message ?? ""}
        hint="A link to become a user is mailed there."
        after={
          <Button type="submit" isBusy={task.isBusy}>
            Invite
          </Button>
        }
      />
    </form>
  );
}

function Remove(props: { user: User; onClose: () => void; onDone: () => void }) {
  const task = useTask();
  const remove = () =>
    task.run(async () => {
      await calls.removeUser(props.user.user);
      props.onDone();
    });
  return (
    <Dialog title={`Remove ${props.user.email}?`} onClose={props.onClose}>
      <p>Every session of this user ends, and every API key of this user is revoked for ever.</p>
      {task.refused && <Notice tone="wrong">{task.refused.message}</Notice>}
      <div className="buttons buttons-end">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button look="danger" isBusy={task.isBusy} onClick={() => void remove()}>
          Remove
        </Button>
      </div>
    </Dialog>
  );
}
