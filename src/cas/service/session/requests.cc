#include "cas/service/session/requests.h"

#include <utility>

namespace slipway::cas {

Requests::Entry::~Entry() {
  base::MutexLock lock(owner_->mutex_);
  owner_->entries_.erase(place_);
}

void Requests::Entry::SetSubject(absl::string_view subject) {
  base::MutexLock lock(mutex_);
  subject_ = std::string(subject);
}

void Requests::Entry::SetTarget(absl::string_view target) {
  base::MutexLock lock(mutex_);
  target_ = std::string(target);
}

void Requests::Entry::SetWaiting(bool waiting) {
  waiting_since_ns_ = waiting ? absl::ToInt64Nanoseconds(owner_->clock_.Monotonic()) : -1;
}

bool Requests::Entry::IsSilent() const {
  const int64_t since = waiting_since_ns_;
  const int64_t now = absl::ToInt64Nanoseconds(owner_->clock_.Monotonic());
  return since >= 0 && now - since > owner_->limit_ns_;
}

std::shared_ptr<Requests::Entry> Requests::Add(absl::string_view method, absl::string_view peer,
                                               std::function<void()> expire) {
  auto entry = std::make_shared<Entry>();
  entry->owner_ = this;
  entry->method_ = std::string(method);
  entry->peer_ = std::string(peer);
  entry->started_at_ = clock_.Monotonic();
  entry->expire_ = std::move(expire);
  base::MutexLock lock(mutex_);
  entry->id_ = ++last_id_;
  entry->place_ = entries_.insert(entries_.end(), entry);
  return entry;
}

std::list<std::shared_ptr<Requests::Entry>> Requests::Snapshot() {
  std::list<std::shared_ptr<Entry>> out;  // destroyed by the caller, after the lock is released
  base::MutexLock lock(mutex_);
  for (const std::weak_ptr<Entry>& entry : entries_) {
    if (auto alive = entry.lock()) out.push_back(std::move(alive));
  }
  return out;
}

void Requests::ExpireIdle(absl::Duration limit) {
  limit_ns_ = absl::ToInt64Nanoseconds(limit);
  for (const auto& entry : Snapshot()) {
    if (entry->expire_ && entry->IsSilent()) entry->expire_();
  }
}

base::Json Requests::ToJson() {
  const absl::Duration now = clock_.Monotonic();
  base::Json list = base::Json::MakeArray();
  for (const auto& entry : Snapshot()) {
    base::Json item = base::Json::MakeObject({{"id", entry->id_}, {"method", entry->method_}});
    item.Set("peer", entry->peer_);
    {
      base::MutexLock lock(entry->mutex_);
      item.Set("subject", entry->subject_);
      item.Set("target", entry->target_);
    }
    item.Set("bytes", entry->bytes());
    item.Set("age_s", absl::ToDoubleSeconds(now - entry->started_at_));
    list.Append(std::move(item));
  }
  return base::Json::MakeObject({{"requests", std::move(list)}});
}

size_t Requests::size() { return Snapshot().size(); }

}  // namespace slipway::cas
