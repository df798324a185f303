// What is being done to which key; one thing at a time.
import type { Key } from "../../api/words";

export type Deed = "edit" | "activity" | "disable" | "enable" | "delete" | "rotate" | "certificates";

export interface Doing {
  deed: Deed;
  key: Key;
}
