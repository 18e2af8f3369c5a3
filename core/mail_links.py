"""Where the links in mails lead: pages of the API, each with a token that says whom it is for."""

from dataclasses import dataclass

from core.signing import MailPurpose, MailTokens

MAIL_PAGES = "/mail"


@dataclass(frozen=True)
class MailLinks:
    """Makes links; `public_url` is where people reach the API, without a slash at its end."""

    public_url: str
    tokens: MailTokens

    def link(self, purpose: MailPurpose, channel_id: str, target_hash: str) -> str:
        """Return the page's URL for whom a mail goes to."""
        token = self.tokens.make(purpose, channel_id, target_hash)
        return f"{self.public_url}{MAIL_PAGES}/{purpose}/{token}"
