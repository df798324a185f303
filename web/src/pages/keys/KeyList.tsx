// "List of API keys", and what is done to them.
import { Fragment, useEffect, useRef, useState } from "react";
import type { Key, NewKey } from "../../api/words";
import type { Loaded } from "../../app/loaded";
import { useDraft } from "../../app/drafts";
import { useMe } from "../../app/session";
import { countText } from "../../logic/counts";
import { pageCount, pageOf } from "../../logic/paging";
import { ORDERS, type Order, sorted } from "../../logic/sorting";
import { Awaited } from "../../parts/Awaited";
import { Button } from "../../parts/Button";
import { Pages } from "../../parts/Pages";
import { Section } from "../../parts/Section";
import { SelectField } from "../../parts/SelectField";
import { Table } from "../../parts/Table";
import { Activity } from "./Activity";
import type { IssuedCertificate } from "./CertificateShown";
import type { Doing } from "./doing";
import { Certificates } from "./Certificates";
import { DeleteAllKeys, DeleteKey } from "./DeleteKeys";
import { DisableKey } from "./DisableKey";
import { EditKey } from "./EditKey";
import { KeyActions } from "./KeyActions";
import { EnableKey, RotateKey } from "./KeyDialogs";
import { KeyRow } from "./KeyRow";

const COLUMNS = ["Label", "Permissions", "IP addresses", "Created", "Last used", "Expires", "State", ""];
const PAGE_SIZE = 10;

interface Props {
  keys: Loaded<Key[]>;
  onSaid: (text: string) => void;
  onNew: (made: NewKey, text: string) => void;
  onIssued: (issued: IssuedCertificate) => void;
}

export function KeyList(props: Props) {
  const me = useMe();
  const [asked, setAsked] = useState(0);
  const [doing, setDoing] = useDraft<Doing | null>("doing", () => null);
  const [isDeletingAll, setIsDeletingAll] = useDraft("deleting all", () => false);
  const [order, setOrder] = useState<Order>("newest");
  const heading = useRef<HTMLHeadingElement>(null);
  const isDone = useRef(false);
  const { keys, onSaid } = props;
  const close = () => {
    setDoing(null);
    setIsDeletingAll(false);
  };
  const done = async (text: string) => {
    isDone.current = true;
    await keys.reload(); // so that nobody goes on from a key as it was before
    close();
    onSaid(text);
  };
  useEffect(() => {
    // What had the focus may be gone with what was done.
    if (isDone.current && document.activeElement === document.body) heading.current?.focus();
    isDone.current = false;
  }, [keys.value]);
  const row = (key: Key) => {
    const isEditing = doing?.deed === "edit" && doing.key.kid === key.kid;
    return (
      <Fragment key={key.kid}>
        <KeyRow
          of={key}
          actions={
            <KeyActions
              of={key}
              isEditing={isEditing}
              isOtherEdited={doing?.deed === "edit" && !isEditing}
              onDo={(deed) => setDoing({ deed, key })}
            />
          }
        />
        {isEditing && (
          <Table.Row className="edit-row">
            <Table.Cell column="" span={COLUMNS.length}>
              <EditKey
                of={doing.key}
                onCancel={() => {
                  close();
                  void keys.reload(); // it may have been changed elsewhere
                }}
                onDone={() => done(`The permissions of ${key.label} are changed, from the next request on.`)}
              />
            </Table.Cell>
          </Table.Row>
        )}
      </Fragment>
    );
  };
  const count = keys.value?.length ?? 0;
  return (
    <Section
      title="List of API keys"
      aside={<span className="muted">{countText(count, "key")}</span>}
      headingRef={heading}
    >
      <Awaited of={keys}>
        {(found) => {
          const pages = pageCount(found.length, PAGE_SIZE);
          const page = Math.min(asked, pages - 1);
          if (found.length === 0) return <p className="empty">You have no API keys yet. Add the first one above.</p>;
          return (
            <>
              {found.length > 1 && (
                <SelectField label="Sort by" value={order} options={ORDERS} onValue={setOrder} className="sort" />
              )}
              <Table label="List of API keys" columns={COLUMNS} className="table-keys">
                {pageOf(sorted(found, order), page, PAGE_SIZE).map(row)}
              </Table>
              <Pages page={page} count={pages} onPage={setAsked} of="API keys" />
            </>
          );
        }}
      </Awaited>
      <div className="buttons">
        <Button look="danger" disabled={count === 0 || !me.two_factor} onClick={() => setIsDeletingAll(true)}>
          Delete All API Key
        </Button>
      </div>
      {doing && (
        <OneDialog
          doing={asItIsNow(doing, keys.value)}
          onClose={close}
          onDone={done}
          onNew={props.onNew}
          onIssued={props.onIssued}
        />
      )}
      {isDeletingAll && keys.value !== null && (
        <DeleteAllKeys count={count} onClose={close} onDone={() => done("All of your API keys are deleted.")} />
      )}
    </Section>
  );
}

// What is done to a key is done to it as the list has it now, not as it was when the deed was chosen.
function asItIsNow(doing: Doing, keys: Key[] | null): Doing {
  const key = keys?.find((each) => each.kid === doing.key.kid);
  return key === undefined ? doing : { ...doing, key };
}

function OneDialog(props: {
  doing: Doing;
  onClose: () => void;
  onDone: (text: string) => Promise<void>;
  onNew: (made: NewKey, text: string) => void;
  onIssued: (issued: IssuedCertificate) => void;
}) {
  const { deed, key } = props.doing;
  const { onClose, onDone } = props;
  const common = { of: key, onClose };
  switch (deed) {
    case "edit":
      return null;
    case "activity":
      return <Activity {...common} />;
    case "disable":
      return (
        <DisableKey
          {...common}
          onDone={() => onDone(`${key.label} is disabled. Its open sessions end within a second.`)}
        />
      );
    case "delete":
      return <DeleteKey {...common} onDone={() => onDone(`${key.label} is deleted.`)} />;
    case "enable":
      return <EnableKey {...common} onDone={() => onDone(`${key.label} can be used again.`)} />;
    case "rotate":
      return (
        <RotateKey
          {...common}
          onDone={(made) => {
            onClose();
            props.onNew(made, `${key.label} is replaced by ${made.key.label}.`);
          }}
        />
      );
    case "certificates":
      return (
        <Certificates
          {...common}
          onIssued={(issued) => {
            onClose();
            props.onIssued({ ...issued, label: key.label });
          }}
        />
      );
  }
}
