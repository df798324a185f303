// Forms that calls take and shapes of what answers them, as src/fairlead/gateway/console/words.py says them.

export interface Problem {
  code: string;
  message: string;
  field?: string;
}

export interface State {
  signed_in: boolean;
  needs_first_user: boolean;
  needs_second_factor: boolean;
  csrf: string;
  mail: "smtp" | "sink" | "none";
}

export interface Entered {
  user: string;
  needs_second_factor: boolean;
  csrf: string;
}

export interface Me {
  user: string;
  email: string;
  subscription: string;
  two_factor: boolean;
  anti_phishing: string;
  address: string;
  session: string;
}

export interface Session {
  session: string;
  created: string;
  last_used: string;
  address: string;
  agent: string;
  is_this: boolean;
}

export interface User {
  user: string;
  email: string;
  two_factor: boolean;
  created: string;
}

export interface Letter {
  time: string;
  to: string;
  subject: string;
  text: string;
}

export interface NewSecret {
  secret: string;
  uri: string;
  qr_svg: string;
}

export interface ChallengeShown {
  challenge: string;
  action: string;
  sent_to: string;
  expires: string;
  expires_after_s: number;
  resend_after_s: number;
}

export const SCOPES = ["read", "trade", "withdraw", "manage"] as const;
export type Scope = (typeof SCOPES)[number];
export type IpMode = "all" | "trusted";
export type Kind = "bearer" | "hmac" | "ed25519";
export type KeyState = "active" | "suspended" | "disabled" | "expired" | "revoked";

export interface Rights {
  scopes: Scope[];
  accounts: string[] | null;
  ip_mode: IpMode;
  addresses: string[];
}

export interface Key extends Rights {
  kid: string;
  label: string;
  kind: Kind;
  created: string;
  expires: string | null;
  state: KeyState;
  version: number;
  etag: string;
  last_used: string | null;
  last_address: string | null;
  // Where one key is looked at.
  open_sessions?: number;
  open_orders?: number;
}

export interface Use {
  time: string;
  address: string;
  protocol: "rest" | "websocket" | "fix";
  certificate: string | null;
}

export interface NewKey {
  kid: string;
  secret: string | null;
  key: Key;
}

// Either of the two.
export type OneFactor = { password: string } | { totp: string };

export interface Certificate {
  fingerprint: string;
  kid: string;
  state: "active" | "expired" | "revoked";
  created: string;
  expires: string;
  revoked: string | null;
}

export interface Account {
  exchange_id: string;
}

export interface NewCertificate {
  fingerprint: string;
  pem: string;
}

export interface KeyAdd extends Rights {
  label: string;
  kind: Kind;
  public_key: string | null;
  expires_days: number | null;
}

export interface KeyEdit extends Rights {
  kid: string;
  version: number;
  // null: its end stays.
  expires_days: number | "never" | null;
}

// What is granted by challenge: by action, what is asked for and what is told when it is done.
export interface Actions {
  "key.add": { payload: KeyAdd; result: NewKey };
  "key.edit": { payload: KeyEdit; result: Key };
  "key.enable": { payload: { kid: string }; result: Key };
  "key.delete": { payload: { kid: string }; result: Key };
  "key.delete_all": { payload: { count: number }; result: { deleted: number } };
  "key.rotate": {
    payload: { kid: string; label: string; overlap_hours: number; public_key: string | null };
    result: NewKey;
  };
  "certificate.issue": { payload: { kid: string; csr: string | null }; result: NewCertificate };
  "two_factor.enable": { payload: { secret: string }; result: { recovery_codes: string[] } };
  "two_factor.disable": { payload: Record<string, never>; result: Record<string, never> };
  "user.invite": { payload: { email: string }; result: undefined };
}
export type Action = keyof Actions;
export type PayloadOf<A extends Action> = Actions[A]["payload"];
export type ResultOf<A extends Action> = Actions[A]["result"];
