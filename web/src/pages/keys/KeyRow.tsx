// One key in the list.
import { useState } from "react";
import type { Key } from "../../api/words";
import { accountsText, addressesText, endsText, STATE_TONES } from "../../logic/keys";
import { Badge } from "../../parts/Badge";
import { Copy } from "../../parts/Copy";
import { Moment } from "../../parts/Moment";
import { Table } from "../../parts/Table";

export function KeyRow({ of: key }: { of: Key }) {
  const [nowMs] = useState(() => Date.now());
  const ends = endsText(key, nowMs);
  return (
    <Table.Row label={key.label}>
      <Table.Cell column="Label">
        <strong>{key.label}</strong>
        <div className="kid">
          <code>{key.kid}</code>
          <Copy text={key.kid} what={`public key of ${key.label}`} />
        </div>
      </Table.Cell>
      <Table.Cell column="Permissions">
        <div className="scopes">
          {key.scopes.map((each) => (
            <Badge key={each} tone="plain">
              {each}
            </Badge>
          ))}
        </div>
        {key.accounts !== null && <p className="hint">{accountsText(key)}</p>}
      </Table.Cell>
      <Table.Cell column="IP addresses">
        {key.ip_mode === "all" ? (
          <span className="amber">{addressesText(key)}</span>
        ) : (
          <ul className="addresses">
            {key.addresses.map((each) => (
              <li key={each}>
                <code>{each}</code>
              </li>
            ))}
          </ul>
        )}
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
        {ends && <p className="hint soon">{ends}</p>}
      </Table.Cell>
      <Table.Cell column="State">
        <Badge tone={STATE_TONES[key.state]}>{key.state}</Badge>
      </Table.Cell>
    </Table.Row>
  );
}
