#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/net/tls.h"
#include "base/status.h"

namespace slipway::base::net {

// Jobs and timers know the state weakly; those that come after Stop find `stopped` and leave the
// borrowed objects alone.
struct TlsWatcher::State : std::enable_shared_from_this<TlsWatcher::State> {
  State(TlsOptions o, Files& f, Clock& c, Loop& l, Pool& p, Metrics& metrics,
        absl::string_view prefix)
      : options(std::move(o)),
        files(f),
        clock(c),
        loop(l),
        pool(p),
        failures(metrics.AddCounter(
            absl::StrCat(prefix, "_tls_reload_failures_total"),
            "Changed certificate files that were refused; the old ones serve on.")),
        not_after(
            metrics.AddGauge(absl::StrCat(prefix, "_tls_cert_not_after_timestamp_seconds"),
                             "When the certificate in force expires, in seconds since 1970.")) {}

  std::shared_ptr<const TlsMaterial> Current() {
    MutexLock lock(mutex);
    return current;
  }

  void TakeOver(TlsMaterial material) ABSL_EXCLUSIVE_LOCKS_REQUIRED(checking) {
    auto set = std::make_shared<const TlsMaterial>(std::move(material));
    if (set->not_after < absl::InfiniteFuture())
      not_after.Set(absl::ToDoubleSeconds(set->not_after - absl::UnixEpoch()));
    std::vector<std::function<void(std::shared_ptr<const TlsMaterial>)>> to_call;
    {
      MutexLock lock(mutex);
      current = set;
      to_call = callbacks;
    }
    for (const auto& callback : to_call) callback(set);
  }

  // One look at the files. A writer replaces certificate and key one after the other, so what a
  // timer finds wrong counts only when the next look finds the same.
  absl::Status Look(bool asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(checking) {
    absl::StatusOr<TlsMaterial> loaded = LoadTls(files, options, clock.Wall());
    if (!loaded.ok()) {
      const std::string text(loaded.status().message());
      const bool settled = asked || text == suspect;
      suspect = text;
      if (settled && (asked || text != reported)) {
        reported = text;
        failures.Increment();
        SLIPWAY_LOG(kError, "refused changed TLS files; the old ones serve on",
                    {{"certificate", options.cert}, {"reason", text}});
      }
      return std::move(loaded).status();
    }
    suspect.clear();
    reported.clear();
    const auto before = Current();
    if (before->cert_pem == loaded->cert_pem && before->key_pem == loaded->key_pem &&
        before->ca_pem == loaded->ca_pem) {
      return absl::OkStatus();
    }
    SLIPWAY_LOG(kInfo, "changed TLS files are in force",
                {{"certificate", options.cert},
                 {"fingerprint", loaded->fingerprint},
                 {"not_after", absl::FormatTime(loaded->not_after, absl::UTCTimeZone())}});
    TakeOver(*std::move(loaded));
    return absl::OkStatus();
  }

  // On the pool.
  void Tick() {
    MutexLock look(checking);
    if (Stopped()) return;
    Look(/*asked=*/false).IgnoreError();
    MutexLock lock(mutex);
    if (stopped) return;
    loop.Post([self = weak_from_this()] {
      if (const auto state = self.lock()) state->Arm();
    });
  }

  // On the loop. Half the period: a change just after a look is still seen in time.
  void Arm() {
    MutexLock lock(mutex);
    if (stopped) return;
    loop.After(options.reload / 2, [self = weak_from_this()] {
      if (const auto state = self.lock()) state->SubmitTick();
    });
  }

  void SubmitTick() {
    absl::Status submitted;
    {
      MutexLock lock(mutex);
      if (stopped) return;
      submitted = pool.Submit([self = weak_from_this()] {
        if (const auto state = self.lock()) state->Tick();
      });
    }
    if (!submitted.ok()) Arm();  // the pool is full: later
  }

  bool Stopped() {
    MutexLock lock(mutex);
    return stopped;
  }

  const TlsOptions options;
  Files& files;
  Clock& clock;
  Loop& loop;
  Pool& pool;
  Counter& failures;
  Gauge& not_after;

  // Held over each look and its callbacks; taken before `mutex`.
  Mutex checking;
  std::string suspect ABSL_GUARDED_BY(checking);   // what the last look found wrong
  std::string reported ABSL_GUARDED_BY(checking);  // what was logged and counted of it

  Mutex mutex;  // never held over a look, so the loop may take it
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  std::shared_ptr<const TlsMaterial> current ABSL_GUARDED_BY(mutex);
  std::vector<std::function<void(std::shared_ptr<const TlsMaterial>)>> callbacks
      ABSL_GUARDED_BY(mutex);
};

TlsWatcher::TlsWatcher(std::shared_ptr<State> state) : state_(std::move(state)) {}
TlsWatcher::~TlsWatcher() { Stop(); }

absl::StatusOr<std::shared_ptr<TlsWatcher>> TlsWatcher::Start(TlsOptions options, Files& files,
                                                              Clock& clock, Loop& loop, Pool& pool,
                                                              Metrics& metrics,
                                                              absl::string_view prefix) {
  SLIPWAY_ASSIGN_OR_RETURN(TlsMaterial material, LoadTls(files, options, clock.Wall()));
  auto state =
      std::make_shared<State>(std::move(options), files, clock, loop, pool, metrics, prefix);
  {
    MutexLock look(state->checking);
    state->TakeOver(std::move(material));
  }
  loop.Post([self = std::weak_ptr<State>(state)] {
    if (const auto armed = self.lock()) armed->Arm();
  });
  return std::shared_ptr<TlsWatcher>(new TlsWatcher(std::move(state)));
}

const TlsOptions& TlsWatcher::options() const { return state_->options; }

std::shared_ptr<const TlsMaterial> TlsWatcher::current() const { return state_->Current(); }

void TlsWatcher::OnChange(std::function<void(std::shared_ptr<const TlsMaterial>)> callback) {
  MutexLock lock(state_->mutex);
  state_->callbacks.push_back(std::move(callback));
}

absl::Status TlsWatcher::Reload() {
  MutexLock look(state_->checking);
  if (state_->Stopped()) return absl::CancelledError("reload TLS files: the watcher has stopped");
  return state_->Look(/*asked=*/true);
}

void TlsWatcher::Stop() {
  {
    MutexLock lock(state_->mutex);
    state_->stopped = true;
  }
  MutexLock look(state_->checking);  // a look in progress ends first
}

}  // namespace slipway::base::net
