// Taking a key out of use: at once, by one factor, whether or not mail works.
import * as calls from "../../api/calls";
import type { Key } from "../../api/words";
import { Dialog } from "../../parts/Dialog";
import { OneFactorForm } from "../../parts/OneFactorForm";

export function DisableKey(props: { of: Key; onClose: () => void; onDone: () => Promise<void> }) {
  const key = props.of;
  return (
    <Dialog title={`Disable ${key.label}?`} onClose={props.onClose}>
      <p>Nobody can use it until you enable it again. Its open sessions end within a second. This needs no mail.</p>
      <OneFactorForm
        submit="Disable"
        take={async (factor) => {
          await calls.disableKey(key.kid, factor);
          await props.onDone();
        }}
        onCancel={props.onClose}
      />
    </Dialog>
  );
}
