// Every call that the page makes, by name.
import { call, useToken } from "./client";
import type {
  Account,
  Action,
  Certificate,
  ChallengeShown,
  Entered,
  Key,
  Letter,
  Me,
  NewSecret,
  OneFactor,
  PayloadOf,
  ResultOf,
  Session,
  State,
  Use,
  User,
} from "./words";

export async function state(): Promise<State> {
  const said = await call<State>("GET", "/v1/auth/state");
  useToken(said.csrf);
  return said;
}

async function enter(path: string, form: object): Promise<Entered> {
  const said = await call<Entered>("POST", path, form);
  useToken(said.csrf);
  return said;
}

export const firstUser = (token: string, email: string, password: string) =>
  enter("/v1/auth/first-user", { token, email, password });
export const invitation = (token: string, password: string) =>
  enter("/v1/auth/invitation", { token, password });
export const signIn = (email: string, password: string) =>
  enter("/v1/auth/sign-in", { email, password });
export const secondFactor = (code: string) => enter("/v1/auth/second-factor", { code });
export const forgotten = (email: string) =>
  call<unknown>("POST", "/v1/auth/password/forgotten", { email });
export const reset = (form: { email: string; code: string; password: string; totp: string }) =>
  call<undefined>("POST", "/v1/auth/password/reset", form);
export const signOut = () => call<undefined>("POST", "/v1/auth/sign-out");

export const me = () => call<Me>("GET", "/v1/me");
export const setPhrase = (anti_phishing: string) => call<Me>("PATCH", "/v1/me", { anti_phishing });
export const changePassword = (form: { password: string; new_password: string; totp: string }) =>
  call<undefined>("POST", "/v1/me/password", form);
export const sessions = () => call<Session[]>("GET", "/v1/me/sessions");
export const endSession = (session: string) =>
  call<undefined>("DELETE", `/v1/me/sessions/${encodeURIComponent(session)}`);
export const newSecret = () => call<NewSecret>("POST", "/v1/me/two-factor");

export const ask = <A extends Action>(action: A, payload: PayloadOf<A>) =>
  call<ChallengeShown>("POST", "/v1/challenges", { action, payload });
export const confirm = <A extends Action>(_: A, challenge: string, code: string, totp: string) =>
  call<ResultOf<A>>("POST", `/v1/challenges/${encodeURIComponent(challenge)}/confirm`, { code, totp });

export const keys = () => call<Key[]>("GET", "/v1/keys");
export const key = (kid: string) => call<Key>("GET", `/v1/keys/${encodeURIComponent(kid)}`);
export const activity = (kid: string) => call<Use[]>("GET", `/v1/keys/${encodeURIComponent(kid)}/activity`);
export const disableKey = (kid: string, factor: OneFactor) =>
  call<Key>("POST", `/v1/keys/${encodeURIComponent(kid)}/disable`, factor);

export const accounts = () => call<Account[]>("GET", "/v1/me/accounts");
export const certificates = () => call<Certificate[]>("GET", "/v1/me/certificates");
export const revokeCertificate = (fingerprint: string, factor: OneFactor) =>
  call<Certificate>("POST", `/v1/me/certificates/${encodeURIComponent(fingerprint)}/revoke`, factor);

export const users = () => call<User[]>("GET", "/v1/users");
export const removeUser = (user: string, factor: OneFactor) =>
  call<undefined>("POST", `/v1/users/${encodeURIComponent(user)}/remove`, factor);
export const mail = () => call<Letter[]>("GET", "/v1/mail");
