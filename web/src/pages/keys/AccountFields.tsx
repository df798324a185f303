// For which exchange accounts a key is: all, or those that are ticked. Where they cannot be listed they are typed.
import * as calls from "../../api/calls";
import { useLoaded } from "../../app/loaded";
import { accountsOffered, readAccounts, type RightsForm, withAccount } from "../../logic/rights";
import { sentence } from "../../logic/sentence";
import { Choice } from "../../parts/Choice";
import { Notice } from "../../parts/Notice";
import { TextField } from "../../parts/TextField";

interface Props {
  form: RightsForm;
  wrong: string;
  onForm: (form: RightsForm) => void;
}

export function AccountFields(props: Props) {
  const { form, onForm } = props;
  return (
    <fieldset className="choices">
      <legend>Exchange accounts</legend>
      <Choice
        type="radio"
        name="accounts"
        label="All accounts"
        hint="also those that are added later"
        checked={!form.isLimited}
        onChange={() => onForm({ ...form, isLimited: false })}
      />
      <Choice
        type="radio"
        name="accounts"
        label="Only these accounts"
        checked={form.isLimited}
        onChange={() => onForm({ ...form, isLimited: true })}
      />
      {form.isLimited && <Which {...props} />}
    </fieldset>
  );
}

function Which(props: Props) {
  const { form, wrong, onForm } = props;
  const accounts = useLoaded(calls.accounts);
  if (accounts.value === null && !accounts.failure) return <p className="waiting" role="status">Loading…</p>;
  const names = (accounts.value ?? []).map((each) => each.exchange_id);
  if (names.length === 0) {
    return (
      <>
        <Notice tone="mind">
          {accounts.failure ? `Your accounts cannot be listed: ${accounts.failure}` : "There is no account yet."} Type their
          names.
        </Notice>
        <TextField
          label="Accounts"
          value={form.accounts}
          onValue={(typed) => onForm({ ...form, accounts: typed })}
          hint="one a line: SIM, or SIM/ALICE"
          error={wrong}
        />
      </>
    );
  }
  const chosen = readAccounts(form.accounts);
  return (
    <div className="offered" role="group" aria-label="Accounts" aria-describedby={wrong ? "accounts-wrong" : undefined}>
      {accountsOffered(names, chosen).map((each) => (
        <Choice
          key={each.name}
          type="checkbox"
          label={each.name}
          hint={each.isThere ? undefined : "is not there any more"}
          checked={chosen.includes(each.name)}
          onChange={(event) => onForm({ ...form, accounts: withAccount(form.accounts, each.name, event.target.checked) })}
        />
      ))}
      {wrong && (
        <p className="error" role="alert" id="accounts-wrong">
          {sentence(wrong)}
        </p>
      )}
    </div>
  );
}
