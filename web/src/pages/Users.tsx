// The users of one's subscription: listed, invited, removed.
import { useCallback, useMemo, useState } from "react";
import * as calls from "../api/calls";
import type { Refused } from "../api/client";
import type { User } from "../api/words";
import { forgetDrafts, useDraft } from "../app/drafts";
import { useLoaded } from "../app/loaded";
import { useMe } from "../app/session";
import { Awaited } from "../parts/Awaited";
import { Badge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { ChallengeForm } from "../parts/ChallengeForm";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { Heading } from "../parts/Heading";
import { Moment } from "../parts/Moment";
import { NeedsFactor } from "../parts/NeedsFactor";
import { Notice } from "../parts/Notice";
import { OneFactorForm } from "../parts/OneFactorForm";
import { Section } from "../parts/Section";
import { Table } from "../parts/Table";

const COLUMNS = ["E-mail", "Two-factor authentication", "Since", ""];
const DRAFT = "user.invite";
const OF_EMAIL = ["email_invalid", "email_taken"];

export function Users() {
  const me = useMe();
  const users = useLoaded(calls.users);
  const [removing, setRemoving] = useDraft<User | null>("removing", () => null);
  const [said, setSaid] = useState("");
  const [round, setRound] = useState(0); // a new form for each who is invited
  return (
    <>
      <Heading title="Users">
        <p className="lead">Everybody who can sign in for the subscription {me.subscription}.</p>
      </Heading>
      {!me.two_factor && (
        <NeedsFactor then="users">Users are invited with a code by mail and one of your authenticator together.</NeedsFactor>
      )}
      {said && <Notice tone="good">{said}</Notice>}
      <Invite
        key={round}
        onDone={(email) => {
          setSaid(`An invitation is on its way to ${email}. It works once, for seven days.`);
          setRound(round + 1);
        }}
      />
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
          onDone={async () => {
            await users.reload();
            setSaid(`${removing.email} is removed.`);
            setRemoving(null);
          }}
        />
      )}
    </>
  );
}

function Invite(props: { onDone: (email: string) => void }) {
  const me = useMe();
  const [typed, setTyped] = useDraft(DRAFT, () => "");
  const [refused, setRefused] = useState<Refused | null>(null);
  const email = typed.trim();
  const payload = useMemo(() => ({ email }), [email]);
  const hear = useCallback((said: Refused | null) => setRefused(said), []);
  return (
    <Section title="Invite somebody">
      <fieldset disabled={!me.two_factor} className="plain">
        <legend className="unseen">Invite somebody</legend>
        <ChallengeForm
          action="user.invite"
          payload={payload}
          isReady={email !== ""}
          submit="Invite"
          notReady="Give an address first."
          shownByFields={OF_EMAIL}
          onRefused={hear}
          onDone={() => {
            forgetDrafts(DRAFT);
            props.onDone(email);
          }}
        >
          <Field
            label="E-mail"
            type="email"
            autoCapitalize="none"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            error={refused && OF_EMAIL.includes(refused.code) ? refused.message : ""}
            hint="A link to become a user is mailed there, once you have given both codes."
          />
        </ChallengeForm>
      </fieldset>
    </Section>
  );
}

function Remove(props: { user: User; onClose: () => void; onDone: () => Promise<void> }) {
  return (
    <Dialog title={`Remove ${props.user.email}?`} onClose={props.onClose}>
      <p>
        Every session of this user ends, and every API key of this user is revoked for ever. To undo it, invite them again.
        This needs no mail.
      </p>
      <OneFactorForm
        submit="Remove"
        take={async (factor) => {
          await calls.removeUser(props.user.user, factor);
          await props.onDone();
        }}
        onCancel={props.onClose}
      />
    </Dialog>
  );
}
