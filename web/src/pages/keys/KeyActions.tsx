// What can be done to one key, in the state that it is in.
import type { Key } from "../../api/words";
import { useMe } from "../../app/session";
import { Button } from "../../parts/Button";
import type { Deed } from "./doing";

export function KeyActions(props: {
  of: Key;
  isEditing: boolean;
  isOtherEdited: boolean;
  onDo: (deed: Deed) => void;
}) {
  const { of: key, onDo } = props;
  const { two_factor } = useMe();
  const isStopped = key.state === "disabled" || key.state === "suspended";
  return (
    <div className="buttons actions" role="group" aria-label={`Actions for ${key.label}`}>
      <Button
        look="quiet"
        disabled={!two_factor || props.isOtherEdited || props.isEditing}
        onClick={() => onDo("edit")}
      >
        Edit permissions
      </Button>
      <Button look="quiet" onClick={() => onDo("activity")}>
        Activity
      </Button>
      <Button look="quiet" onClick={() => onDo("certificates")}>
        Certificates
      </Button>
      {key.state === "active" && (
        <>
          <Button look="quiet" disabled={!two_factor} onClick={() => onDo("rotate")}>
            Rotate
          </Button>
          <Button look="quiet" onClick={() => onDo("disable")}>
            Disable
          </Button>
        </>
      )}
      {isStopped && (
        <Button look="quiet" disabled={!two_factor} onClick={() => onDo("enable")}>
          Enable
        </Button>
      )}
      <Button look="quiet" className="button-wrong" disabled={!two_factor} onClick={() => onDo("delete")}>
        Delete
      </Button>
    </div>
  );
}
