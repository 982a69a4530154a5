package dev.usherd;

import dev.usherd.v1.ListModelsRequest;
import dev.usherd.v1.ListModelsResponse;
import io.grpc.CallOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Turns the pages of a list of models, and stops where a server would turn them for ever, or fill the memory. */
final class ModelPages {

  private static final int PAGE = 1000;
  private static final int MOST_PAGES = 1000;

  /** Bytes of all pages. A server knows some ten thousand models, with names of 256 bytes at most. */
  private static final long MOST_BYTES = 64L << 20;

  private final Wire wire;
  private final AskOptions options;
  private final BooleanSupplier closed;
  private final ListModelsRequest.Builder request;
  private final List<Model> models = new ArrayList<>();
  private final CompletableFuture<List<Model>> all = new CompletableFuture<>();
  private int pages;
  private long bytes;

  ModelPages(Wire wire, Question question, AskOptions options, BooleanSupplier closed) {
    this.wire = wire;
    this.options = options;
    this.closed = closed;
    request =
        ListModelsRequest.newBuilder()
            .setQuestion(question.message())
            .setOptions(options.message())
            .setPageSize(PAGE);
  }

  /** All models, or the UsherFault or ListDenied that there is in their place. Cancelling it cancels the call. */
  CompletableFuture<List<Model>> read() {
    next();
    return all;
  }

  private void next() {
    CompletableFuture<ListModelsResponse> page;
    try {
      if (closed.getAsBoolean()) {
        throw new UsherFault(UsherFault.Kind.CLOSED);
      }
      if (pages++ == MOST_PAGES) {
        throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
      }
      SingleCall<ListModelsResponse, ListModelsResponse> call = new SingleCall<>(ModelPages::checked, closed);
      page =
          call.send(
              wire.listModels(
                  CallOptions.DEFAULT.withDeadlineAfter(options.deadline().toNanos(), TimeUnit.NANOSECONDS),
                  wire.shown(),
                  call),
              request.build());
    } catch (UsherFault fault) {
      all.completeExceptionally(fault);
      return;
    }
    all.whenComplete(
        (list, failure) -> {
          if (failure instanceof CancellationException) {
            page.cancel(true);
          }
        });
    page.whenComplete(
        (read, instead) -> {
          if (read == null) {
            all.completeExceptionally(instead);
          } else {
            turned(read);
          }
        });
  }

  private void turned(ListModelsResponse page) {
    bytes += page.getSerializedSize();
    if (page.getModelsCount() > PAGE || bytes > MOST_BYTES) {
      all.completeExceptionally(new UsherFault(UsherFault.Kind.BAD_ANSWER));
      return;
    }
    page.getModelsList().forEach(each -> models.add(new Model(each.getName(), each.getResolvedModel())));
    String next = page.getNextPageToken();
    if (next.isEmpty()) {
      all.complete(List.copyOf(models));
    } else if (next.equals(request.getPageToken())) {
      all.completeExceptionally(new UsherFault(UsherFault.Kind.BAD_ANSWER));
    } else if (!all.isDone()) {
      request.setPageToken(next);
      next();
    }
  }

  private static ListModelsResponse checked(ListModelsResponse page) {
    if (page.hasDenial()) {
      Decision denial = Answers.decision(page.getDenial());
      if (denial.allowed() || page.getModelsCount() > 0) {
        throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
      }
      throw new ListDenied(denial);
    }
    return page;
  }
}
