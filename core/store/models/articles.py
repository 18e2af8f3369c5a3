"""The router's: articles, where else they appear, and their versions."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number


class Article(Base):
    """An article that was routed: its identity, and how far its newest version got."""

    __tablename__ = "articles"
    __table_args__ = (
        Index(None, "source_key", "producer_id", unique=True),
        Index(
            "uq_articles_page_key",
            "page_key",
            unique=True,
            sqlite_where=text("page_key IS NOT NULL"),
            postgresql_where=text("page_key IS NOT NULL"),
        ),
        Index(
            "ix_articles_story",
            "story",
            "first_routed_at",
            sqlite_where=text("story IS NOT NULL"),
            postgresql_where=text("story IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    source_key: Mapped[str] = mapped_column(Identifier)
    producer_id: Mapped[str] = mapped_column(Identifier)
    source_id: Mapped[str | None] = mapped_column(Identifier, index=True)
    source_name: Mapped[str | None]
    account_id: Mapped[str | None] = mapped_column(Identifier)
    version: Mapped[int] = mapped_column(Number)
    planned_version: Mapped[int] = mapped_column(Number)
    article_day: Mapped[date] = mapped_column(Date)
    page_key: Mapped[str | None] = mapped_column(Identifier)
    page_shared: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    story: Mapped[str | None] = mapped_column(Identifier)
    first_routed_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]


class Appearance(Base):
    """An item of another source that is the same page as an article, and how far its routing got."""

    __tablename__ = "appearances"

    source_key: Mapped[str] = mapped_column(Identifier, primary_key=True)
    producer_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    article_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("articles.id", ondelete="CASCADE"), index=True
    )
    source_id: Mapped[str | None] = mapped_column(Identifier)
    source_name: Mapped[str | None]
    url: Mapped[str | None]
    version: Mapped[int] = mapped_column(Number)
    planned_version: Mapped[int] = mapped_column(Number)
    first_seen_at: Mapped[datetime]


class ArticleVersion(Base):
    """One version of an article, never changed."""

    __tablename__ = "article_versions"

    article_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Number, primary_key=True)
    title: Mapped[str]
    summary: Mapped[str]
    url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    language: Mapped[str | None]
    categories: Mapped[list[str]]
    authors: Mapped[list[str]]
    image: Mapped[str | None]
    routed_at: Mapped[datetime]
