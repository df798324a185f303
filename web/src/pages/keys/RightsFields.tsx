// What a key may do, from where, and for which accounts.
import { useId } from "react";
import { type Scope, SCOPES } from "../../api/words";
import { useMe } from "../../app/session";
import { ADDRESSES_MAX, readNetworks, withAddress } from "../../logic/addresses";
import { type RightsForm, withScope, type Wrong } from "../../logic/rights";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { TextField } from "../../parts/TextField";
import { AccountFields } from "./AccountFields";

export const SCOPE_HINTS: Record<Scope, string> = {
  read: "always on: orders, history, balances, positions, streams",
  trade: "place and cancel orders",
  withdraw: "no endpoint uses it yet; needs trusted IPs",
  manage: "add and remove exchange accounts, issue certificates",
};

export function RightsFields(props: { form: RightsForm; wrong: Wrong; onForm: (form: RightsForm) => void }) {
  const { form, wrong, onForm } = props;
  const withdrawError = useId();
  return (
    <div className="rights">
      <fieldset className="choices">
        <legend>Permissions</legend>
        {SCOPES.map((each) => (
          <Choice
            key={each}
            type="checkbox"
            label={each}
            hint={SCOPE_HINTS[each]}
            checked={form.scopes.includes(each)}
            disabled={each === "read"}
            aria-invalid={each === "withdraw" && wrong.withdraw ? true : undefined}
            aria-describedby={each === "withdraw" && wrong.withdraw ? withdrawError : undefined}
            onChange={(event) => onForm(withScope(form, each, event.target.checked))}
          />
        ))}
        {wrong.withdraw && (
          <p className="error" role="alert" id={withdrawError}>
            {wrong.withdraw}: choose them, and no other address can use the key.
          </p>
        )}
      </fieldset>
      <IpFields {...props} />
      <AccountFields form={form} wrong={wrong.accounts} onForm={onForm} />
    </div>
  );
}

function IpFields(props: { form: RightsForm; wrong: Wrong; onForm: (form: RightsForm) => void }) {
  const { form, wrong, onForm } = props;
  const me = useMe();
  const count = readNetworks(form.addresses).networks.length;
  return (
    <fieldset className="choices">
      <legend>IP addresses</legend>
      <Choice
        type="radio"
        name="ip-mode"
        className="choice-amber"
        label="All IP addresses (Not recommended)"
        hint="whoever has the secret can use it from anywhere"
        checked={form.ipMode === "all"}
        onChange={() => onForm({ ...form, ipMode: "all" })}
      />
      <Choice
        type="radio"
        name="ip-mode"
        label="Trusted IPs only (Recommended)"
        checked={form.ipMode === "trusted"}
        onChange={() => onForm({ ...form, ipMode: "trusted" })}
      />
      {form.ipMode === "trusted" && (
        <>
          <TextField
            label="Trusted IPs"
            value={form.addresses}
            onValue={(addresses) => onForm({ ...form, addresses })}
            hint={`${count} of ${ADDRESSES_MAX}, one a line: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32`}
            error={wrong.addresses}
          />
          <div className="buttons">
            <Button
              look="quiet"
              onClick={() => onForm({ ...form, addresses: withAddress(form.addresses, me.address) })}
            >
              Add my address
            </Button>
            <code className="muted">{me.address}</code>
          </div>
        </>
      )}
    </fieldset>
  );
}
