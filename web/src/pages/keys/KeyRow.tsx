// One key in the list: what it is, what can be done to it, and below both what is being edited.
import { type ReactNode, useState } from "react";
import { type Key, SCOPES } from "../../api/words";
import { accountsText, addressesText, endsText, STATE_TONES } from "../../logic/keys";
import { Badge } from "../../parts/Badge";
import { Copy } from "../../parts/Copy";
import { Moment } from "../../parts/Moment";
import { Table } from "../../parts/Table";

export function KeyRow(props: { of: Key; actions: ReactNode }) {
  const key = props.of;
  const [nowMs] = useState(() => Date.now());
  const ends = endsText(key, nowMs);
  return (
    <Table.Row label={key.label} className="key-row">
      <Table.Cell column="Label">
        <strong>{key.label}</strong>
        <div className="kid">
          <code>{key.kid}</code>
          <Copy text={key.kid} what={`public key of ${key.label}`} />
        </div>
      </Table.Cell>
      <Table.Cell column="Permissions">
        <Scopes of={key} />
        {key.accounts !== null && <p className="hint">{accountsText(key)}</p>}
      </Table.Cell>
      <Table.Cell column="IP addresses">
        <Addresses of={key} />
      </Table.Cell>
      <Table.Cell column="Created">
        <Moment at={key.created} />
      </Table.Cell>
      <Table.Cell column="Last used">
        <Moment at={key.last_used} />
        {key.last_address && (
          <p className="hint">
            from <code>{key.last_address}</code>
          </p>
        )}
      </Table.Cell>
      <Table.Cell column="Expires">
        <Moment at={key.expires} />
        {ends && <p className="soon">{ends}</p>}
      </Table.Cell>
      <Table.Cell column="State">
        <Badge tone={STATE_TONES[key.state]}>{key.state}</Badge>
      </Table.Cell>
      <Table.Cell column="">{props.actions}</Table.Cell>
    </Table.Row>
  );
}

/** The boxes as they are; they can be changed by "Edit permissions" alone. */
function Scopes({ of: key }: { of: Key }) {
  return (
    <div className="scopes">
      {SCOPES.map((each) => (
        <label key={each} className={key.scopes.includes(each) ? "scope scope-on" : "scope"}>
          <input type="checkbox" checked={key.scopes.includes(each)} disabled readOnly />
          {each}
        </label>
      ))}
    </div>
  );
}

function Addresses({ of: key }: { of: Key }) {
  if (key.ip_mode === "all") return <span className="amber">{addressesText(key)}</span>;
  return (
    <ul className="addresses">
      {key.addresses.map((each) => (
        <li key={each}>
          <code>{each}</code>
        </li>
      ))}
    </ul>
  );
}
